from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pizzeria.api_errors import documented
from pizzeria.notifications import services
from pizzeria.notifications.models import Notification, NotificationQuerySet
from pizzeria.orders.api import person_of


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    class Meta:
        model = Notification
        fields = [
            "id",
            "kind",
            "title",
            "message",
            "order",
            "created_at",
            "read_at",
            "dismissed_at",
        ]
        read_only_fields = fields


class CountSerializer(serializers.Serializer[Any]):
    """How many were changed."""

    changed = serializers.IntegerField()


_NOT_IN = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_ONE = {
    200: NotificationSerializer,
    **documented(HTTPStatus.NOT_FOUND),
    **_NOT_IN,
}


@extend_schema(
    tags=["notifications"],
    summary="What you were told and did not dismiss, newest first",
    responses={200: NotificationSerializer(many=True), **_NOT_IN},
)
class Notifications(generics.ListAPIView[Notification]):
    """The caller's own notifications."""

    queryset = Notification.objects.none()
    serializer_class = NotificationSerializer

    def get_queryset(self) -> NotificationQuerySet:
        return Notification.objects.of(person_of(self.request)).kept()


class ReadNotification(APIView):
    @extend_schema(
        tags=["notifications"],
        operation_id="notifications_read",
        summary="Note that you read one",
        request=None,
        responses=_ONE,
    )
    def post(self, request: Request, notification_id: int) -> Response:
        """A second time changes nothing."""
        try:
            notification = services.mark_read(
                notification_id=notification_id,
                person=person_of(request),
                now=timezone.now(),
            )
        except Notification.DoesNotExist as error:
            raise Http404 from error
        return Response(NotificationSerializer(notification).data)


class DismissNotification(APIView):
    @extend_schema(
        tags=["notifications"],
        operation_id="notifications_dismiss",
        summary="Take one off the list",
        request=None,
        responses=_ONE,
    )
    def post(self, request: Request, notification_id: int) -> Response:
        """A second time changes nothing."""
        try:
            notification = services.dismiss(
                notification_id=notification_id,
                person=person_of(request),
                now=timezone.now(),
            )
        except Notification.DoesNotExist as error:
            raise Http404 from error
        return Response(NotificationSerializer(notification).data)


class ReadAllNotifications(APIView):
    @extend_schema(
        tags=["notifications"],
        operation_id="notifications_read_all",
        summary="Note that you read them all",
        request=None,
        responses={200: CountSerializer, **_NOT_IN},
    )
    def post(self, request: Request) -> Response:
        changed = services.mark_all_read(person=person_of(request), now=timezone.now())
        return Response({"changed": changed})
